printf pw >$W/tok
