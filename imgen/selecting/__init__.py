"""Which of several trained models to take, without labels."""
