"""StarGAN, the baseline that SG-GAN is measured against: one generator that is told the whole target."""
