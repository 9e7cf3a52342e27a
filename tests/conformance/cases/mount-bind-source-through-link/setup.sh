mkdir d; echo x >d/x; ln -s d l
