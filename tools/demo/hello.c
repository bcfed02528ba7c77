/* The demo's workload: an HTTP server that greets and tells its pod's name. One request a connection, one at a time. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void leave(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, leave);
  signal(SIGPIPE, SIG_IGN);
  const char* greeting = getenv("GREETING");
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080)};
  if (bind(listener, (struct sockaddr*)&at, sizeof at) != 0 || listen(listener, 128) != 0) {
    perror("hello: port 8080");
    return 1;
  }
  printf("hello: serving on port 8080\n");
  fflush(stdout);
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) continue;
    struct timeval limit = {.tv_sec = 2};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char request[2048], body[512], answer[1024];
    if (read(client, request, sizeof request) > 0) {
      snprintf(body, sizeof body, "%s, from %s\n", greeting ? greeting : "Hello", host);
      int n = snprintf(answer, sizeof answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                       strlen(body), body);
      if (write(client, answer, (size_t)n) < 0) perror("hello");
    }
    close(client);
  }
}
