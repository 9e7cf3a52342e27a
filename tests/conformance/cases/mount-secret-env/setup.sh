printf secret >$W/tok
