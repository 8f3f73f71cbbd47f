"""The corpora that the judge can read, by the name on its command line."""

from tests.corpora import f1, icpc
from tests.corpora.contest import Corpus

CORPORA: dict[str, Corpus] = {"f1": f1.CORPUS, "icpc": icpc.CORPUS}
