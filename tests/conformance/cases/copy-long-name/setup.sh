mkdir n; printf x >n/$(printf "%0255d" 0); d=n; for i in 1 2 3 4 5 6; do d=$d/$(printf "%060d" $i); done; mkdir -p $d; echo deep >$d/f
