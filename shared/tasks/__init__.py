"""Work beside work: verbs in turn by what they are about, and what goes on in the background."""
