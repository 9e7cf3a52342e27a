mkdir $W/two; echo 1 >$W/two/a.txt; echo 2 >$W/two/b.txt; echo a.txt >$W/two/.dockerignore
