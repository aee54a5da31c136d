"""Networks that tell whom pictures show: one that imgen trains itself, and any that a weights file holds."""
