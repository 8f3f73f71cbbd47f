"""The tests. Those that need services get real ones, started once for the whole run."""
