"""The corpora that the judge can read, by the name on its command line."""

from tests.corpora import ctf, f1, football, icpc, laliga, nfl, streaks
from tests.corpora.contest import Corpus

CORPORA: dict[str, Corpus] = {
    "ctf": ctf.CORPUS,
    "f1": f1.CORPUS,
    "football": football.CORPUS,
    "icpc": icpc.CORPUS,
    "laliga": laliga.CORPUS,
    "nfl": nfl.CORPUS,
    "streaks": streaks.CORPUS,
}
