ln -s l2 l1; ln -s dir/l3 l2; ln -s ../a.txt dir/l3
