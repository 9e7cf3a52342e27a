mkdir $W/two; echo context >$W/two/x
