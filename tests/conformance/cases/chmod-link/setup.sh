mkdir l; ln -s f l/s; echo f >l/f
