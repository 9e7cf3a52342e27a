mkdir l; ln -s x l/s; echo f >l/f
