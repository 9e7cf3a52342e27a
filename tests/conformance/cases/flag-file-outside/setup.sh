printf "FROM busybox\nCOPY a.txt /\n" >$W/Outside
