/* Choices of dropbear's build for the camera; the rest is its default. */
#define SFTPSERVER_PATH "/tmp/mi360d/ssh/sftp-server"
#define DROPBEAR_PIDFILE "/tmp/mi360d/ssh/pid"
#define DO_MOTD 0
#define DROPBEAR_RSA_SHA1 0
#define DROPBEAR_SHA1_HMAC 0
#define DROPBEAR_DH_GROUP14_SHA1 0
#define DROPBEAR_SVR_AGENTFWD 0
#define DROPBEAR_SK_KEYS 1
#define MAX_UNAUTH_PER_IP 5
#define MAX_UNAUTH_CLIENTS 12
#define MAX_AUTH_TRIES 6
