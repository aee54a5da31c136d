"""How good and how diverse pictures are, as feature networks see them."""
