"""One module per outside thing; built in bootstrap and nowhere else."""
