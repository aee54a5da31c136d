"""Models on the Hugging Face Hub: published with their card, and fetched with care."""
