// A viewer made of live555, as openRTSP is one: describes, sets up, plays, counts pictures.
//
//   watch URL USER PASSWORD tcp|udp PICTURES
//
// Ends with 0 when so many pictures have come, with 1 when the server refuses or 20 s pass.

#include "BasicUsageEnvironment.hh"
#include "liveMedia.hh"

#include <cstdio>
#include <cstdlib>
#include <cstring>

static unsigned pictures = 0, wanted = 0;
static MediaSession *session = nullptr;
static MediaSubsession *track = nullptr;
static Boolean over_tcp = False;
static Authenticator *login = nullptr;
static char done = 0;
static int status = 1;

static void end(int with, char const *why) {
    fprintf(stderr, "%s\n", why);
    status = with;
    done = 1;
}

class Counter : public MediaSink {
public:
    explicit Counter(UsageEnvironment &env) : MediaSink(env) {}

private:
    static void got(void *self, unsigned size, unsigned cut, struct timeval, unsigned) {
        static_cast<Counter *>(self)->take(size, cut);
    }
    void take(unsigned size, unsigned cut) {
        if (cut > 0) return end(1, "a unit was larger than the buffer");
        unsigned char const first = buffer[0];
        Boolean const h264 = strcmp(track->codecName(), "H264") == 0;
        unsigned const kind = h264 ? first & 31 : first >> 1 & 63;
        Boolean const slice = h264 ? kind == 1 || kind == 5 : kind < 32;
        // The first slice of a picture has its first bit set.
        if (slice && size > 2 && buffer[h264 ? 1 : 2] & 0x80 && ++pictures >= wanted)
            return end(0, "enough");
        continuePlaying();
    }
    Boolean continuePlaying() override {
        if (fSource == nullptr) return False;
        fSource->getNextFrame(buffer, sizeof buffer, got, this, onSourceClosure, this);
        return True;
    }
    unsigned char buffer[2000000];
};

static void played(RTSPClient *, int code, char *text) {
    if (code != 0) end(1, text);
    delete[] text;
}

static void set_up(RTSPClient *client, int code, char *text) {
    if (code != 0) {
        end(1, text);
    } else {
        track->sink = new Counter(client->envir());
        track->sink->startPlaying(*track->readSource(), nullptr, nullptr);
        client->sendPlayCommand(*session, played, 0.0, -1.0, 1.0f, login);
    }
    delete[] text;
}

static void described(RTSPClient *client, int code, char *text) {
    if (code != 0) {
        end(1, text);
    } else if ((session = MediaSession::createNew(client->envir(), text)) == nullptr) {
        end(1, "the SDP is not understood");
    } else {
        MediaSubsessionIterator tracks(*session);
        if ((track = tracks.next()) == nullptr || !track->initiate())
            end(1, "no track");
        else
            client->sendSetupCommand(*track, set_up, False, over_tcp, False, login);
    }
    delete[] text;
}

static void answered_options(RTSPClient *client, int code, char *text) {
    if (code != 0)
        end(1, text);
    else
        client->sendDescribeCommand(described, login);
    delete[] text;
}

static void too_late(void *) { end(1, "no picture in time"); }

int main(int count, char **words) {
    if (count != 6) return 2;
    TaskScheduler *scheduler = BasicTaskScheduler::createNew();
    UsageEnvironment *env = BasicUsageEnvironment::createNew(*scheduler);
    RTSPClient *client = RTSPClient::createNew(*env, words[1], 0, "watch");
    if (*words[2]) login = new Authenticator(words[2], words[3]);
    over_tcp = strcmp(words[4], "tcp") == 0;
    wanted = static_cast<unsigned>(atoi(words[5]));
    scheduler->scheduleDelayedTask(20000000, too_late, nullptr);
    client->sendOptionsCommand(answered_options, login);
    scheduler->doEventLoop(&done);
    printf("%u pictures\n", pictures);
    return status;
}
