mkdir $W/t; cd $W/t; printf "FROM busybox\nCOPY . /x\n" >Dockerfile; echo http >f; touch -d @1000000000 *; tar --numeric-owner --owner=0 --group=0 -czf $W/http/ctx.tar.gz .
