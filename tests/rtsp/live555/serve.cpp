// A server made of live555, as the original's is one, for the comparison of processor time: one
// H.264 stream, read once and sent to all its viewers.
//
//   serve FIFO PORT

#include "BasicUsageEnvironment.hh"
#include "liveMedia.hh"

#include <cstdlib>

int main(int count, char **words) {
    if (count != 3) return 2;
    OutPacketBuffer::maxSize = 1000000;
    TaskScheduler *scheduler = BasicTaskScheduler::createNew();
    UsageEnvironment *env = BasicUsageEnvironment::createNew(*scheduler);
    RTSPServer *server = RTSPServer::createNew(*env, static_cast<unsigned>(atoi(words[2])));
    if (server == nullptr) return 1;
    ServerMediaSession *session = ServerMediaSession::createNew(*env, "mainstream", "mainstream");
    session->addSubsession(
        H264VideoFileServerMediaSubsession::createNew(*env, words[1], True /* one for all */));
    server->addServerMediaSession(session);
    env->taskScheduler().doEventLoop();
    return 0;
}
