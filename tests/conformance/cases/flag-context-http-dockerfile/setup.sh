printf "FROM busybox\nRUN echo http >/f\n" >$W/http/Dockerfile
