mkdir $W/other; echo other >$W/other/o.txt
