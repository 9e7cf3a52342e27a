mkdir $W/top; echo x >$W/top/x
