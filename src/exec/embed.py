#!/usr/bin/env python3
"""Writes a file's bytes as a C array: embed.py INPUT OUTPUT NAME"""
import sys

source, target, name = sys.argv[1:]
data = open(source, 'rb').read()
with open(target, 'w') as out:
    out.write('static const unsigned char %s[] = {\n' % name)
    for i in range(0, len(data), 16):
        out.write(' '.join('%d,' % b for b in data[i:i + 16]) + '\n')
    out.write('};\n')
