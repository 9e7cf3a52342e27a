mkdir $W/src; echo s >$W/src/s
