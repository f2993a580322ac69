"""The benchmark: a Wherry node beside dockerd, in turns, in one run; `make bench`."""
