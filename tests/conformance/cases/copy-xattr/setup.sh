mkdir x; echo x >x/f; setfattr -n user.color -v blue x/f; echo y >x/g
