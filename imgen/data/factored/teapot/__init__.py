"""The Utah teapot, its scenes and how they are drawn: see `imgen.data.factored.teapots`."""
