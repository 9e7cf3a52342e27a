yes 0123456789 | head -c 4000000 >big
