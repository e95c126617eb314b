"""Where the parts meet: settings, assembly, training, answering and the bundle."""
