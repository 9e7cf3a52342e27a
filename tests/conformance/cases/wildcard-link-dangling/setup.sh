ln -s a.txt l1; ln -s nowhere l3
