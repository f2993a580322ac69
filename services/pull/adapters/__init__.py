"""One module or package per outside thing; built in bootstrap and nowhere else."""
