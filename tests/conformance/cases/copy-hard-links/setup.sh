mkdir h; echo x >h/a; ln h/a h/b; ln h/a h/c
