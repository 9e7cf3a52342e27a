mkdir d; echo f >d/f; chmod 640 d/f
