ln -s a.txt l1; ln -s dir l2
