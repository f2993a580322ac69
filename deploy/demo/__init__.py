"""The demo: `make demo` shows Wherry at work, using only what every user can use."""
