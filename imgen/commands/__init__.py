"""One file for each command. Importing one must stay cheap: torch and pydantic are imported inside."""
