echo f >f; mkdir d e; echo x >d/x; ln -s d l; ln -s d/x lf
