"""The parts from which the end-to-end tests are built; README.md one folder up is the tour."""
