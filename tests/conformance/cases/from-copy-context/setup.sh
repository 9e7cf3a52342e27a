mkdir $W/two; echo two >$W/two/x; mkdir $W/two/y; echo z >$W/two/y/z
