"""The command line: wires the other layers together, reads the environment, and talks to the operator's terminal."""
