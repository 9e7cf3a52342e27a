printf 'a\nb\000c\n' >$W/tok
