"""Train the bundled model: photographs, augmentation, backbone, recipe."""
