#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""uv_clients.py WHAT [ARGUMENT...]: for t/uv_samples.sh, clients of the servers among the samples. Status 0 if the
server did as it should. Nothing here depends on being quick: every wait is bounded, by a minute."""
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

PATIENCE = 60


def connect(port):
    client = socket.create_connection(('127.0.0.1', int(port)), PATIENCE)
    client.settimeout(PATIENCE)
    return client


def read_to_end(client):
    pieces = []
    while True:
        piece = client.recv(1 << 16)
        if not piece:
            return b''.join(pieces)
        pieces.append(piece)


def read_exactly(client, size):
    data = b''
    while len(data) < size:
        piece = client.recv(size - len(data))
        assert piece, 'the connection ended after %d of %d bytes' % (len(data), size)
        data += piece
    return data


def echoes(client, data):
    client.sendall(data)
    assert read_exactly(client, len(data)) == data


def reset(client):
    """Ends the connection without a farewell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


# ---- what shell scripts need ----

def first_port_given_away():
    """The system gives this one and those above to whoever asks for any; but there are to be a thousand below it."""
    try:
        with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as ports:
            return max(int(ports.read().split()[0]), 11000)
    except OSError:
        return 32768


def free_port():
    """One that only somebody who asks for it by its number can have, for a server that takes its time to start: until
    then other programs' servers, and this one's clients, get ports of their own from the system."""
    limit = first_port_given_away()
    while True:
        port = random.randrange(10000, limit)
        with socket.socket() as listener:
            try:
                listener.bind(('127.0.0.1', port))
                return print(port)
            except OSError:
                pass


def answers(port):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return connect(port).close()
        except OSError:
            assert time.monotonic() < end, 'nobody listens'
            time.sleep(0.05)


# ---- echo_server ----

def echo_large(port, size):
    """All of it sent by one thread, while another reads."""
    data = os.urandom(int(size))
    client = connect(port)

    def send():
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    assert read_to_end(client) == data
    sender.join()


def echo_many(port, count):
    """All of them are connected before the first one says anything, and have said it before the first one listens."""
    clients = [connect(port) for _ in range(int(count))]
    for i, client in enumerate(clients):
        client.sendall(b'client %d\n' % i)
    for i, client in enumerate(clients):
        wanted = b'client %d\n' % i
        assert read_exactly(client, len(wanted)) == wanted
    for client in clients:
        client.close()


def echo_vanish(port):
    for size in 1, 1 << 20:
        client = connect(port)
        client.setblocking(False)
        client.send(b'x' * size)
        reset(client)
    echoes(connect(port), b'is anybody there?\n')


def ask(client):
    try:
        client.sendall(b'?')
        return client.recv(1)
    except OSError:
        return b''


def echo_no_descriptors(port):
    """More clients than the server can have; when they are gone, it serves again."""
    clients = [connect(port) for _ in range(40)]
    answers = [ask(client) for client in clients]
    assert b'?' in answers and b'' in answers, answers
    for client in clients:
        reset(client)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return echoes(connect(port), b'is anybody there?\n')
        except (OSError, AssertionError):
            assert time.monotonic() < end, 'it serves nobody any more'
            time.sleep(0.05)


def echo_stop(port, process):
    """The server is told to stop while it stands in the middle of an echo that nobody takes, and one client is idle."""
    idle, talker = connect(port), connect(port)
    echoes(idle, b'idle\n')
    data, sent = os.urandom(1 << 16), b''
    talker.setblocking(False)
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + 0.3:
        try:
            sent += data[:talker.send(data)]
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    os.kill(int(process), signal.SIGTERM)
    talker.settimeout(PATIENCE)
    assert read_to_end(talker) == sent
    assert read_to_end(idle) == b''


def echo_idle_stop(port, process):
    client = connect(port)
    echoes(client, b'idle\n')
    os.kill(int(process), signal.SIGINT)
    assert read_to_end(client) == b''


# ---- chat ----

class Talker:
    def __init__(self, port, name=None):
        self.socket = connect(port)
        self.file = self.socket.makefile('rb')
        self.hears('* welcome; what is your name?')
        if name is not None:
            self.says(name)
            self.hears('* hello %s; /who tells who is here, /quit ends this' % name)

    def says(self, line):
        self.socket.sendall(line.encode() + b'\n')

    def hears(self, wanted):
        line = self.file.readline().decode().rstrip('\n')
        assert line == wanted, "heard '%s', not '%s'" % (line, wanted)

    def hears_end(self):
        assert self.file.read() == b''


def join_all(port, *names):
    talkers = []
    for name in names:
        talker = Talker(port, name)
        for other in talkers:
            other.hears('* %s is here' % name)
        talkers.append(talker)
    return talkers


def leave_all(*talkers):
    for i, talker in enumerate(talkers):
        talker.says('/quit')
        talker.hears('* good-bye')
        talker.hears_end()
        for other in talkers[i + 1:]:
            other.file.readline()


def chat_three(port):
    ann, bob, carl = join_all(port, 'ann', 'bob', 'carl')
    ann.says('hello all')
    bob.hears('ann: hello all')
    carl.hears('ann: hello all')
    bob.says('hello\tann\x1b[2J\r')
    ann.hears('bob: helloann[2J')
    carl.hears('bob: helloann[2J')
    ann.says('/who')
    line = ann.file.readline().decode().split()
    assert line[:2] == ['*', 'here:'] and sorted(line[2:]) == ['ann', 'bob', 'carl'], line
    ann.says('/dance')
    ann.hears('* there are /who and /quit')
    ann.says('y' * 400)
    bob.hears('ann: ' + 'y' * 400)
    carl.hears('ann: ' + 'y' * 400)
    ann.says('y' * 401)
    ann.hears('* that was too long for a line; nobody has seen it')
    ann.says('')
    carl.socket.sendall(b'a line in ')
    carl.socket.sendall(b'two parts\n')
    ann.hears('carl: a line in two parts')
    bob.hears('carl: a line in two parts')
    reset(carl.socket)
    carl.file.close()
    ann.hears('* carl is gone')
    bob.hears('* carl is gone')
    leave_all(ann, bob)


def chat_names(port):
    ann = Talker(port, 'ann')
    other = Talker(port)
    for name in '', 'a b', 'a' * 17, 'x' * 5000, '* server':
        other.says(name)
        other.hears('* a name has 1 to 16 letters, digits, - and _; what is your name?')
    other.says('ann')
    other.hears('* somebody has that name already; what is your name?')
    ann.says('nobody else is here\n/dance')
    ann.hears('* there are /who and /quit')
    other.says('Ann-2')
    other.hears('* hello Ann-2; /who tells who is here, /quit ends this')
    ann.hears('* Ann-2 is here')
    leave_all(ann, other)


def chat_burst(port):
    """More short lines in one go than a channel holds: who reads them gets them all."""
    count = 20000
    ann, bob, carl = join_all(port, 'ann', 'bob', 'carl')
    ann.socket.sendall(b''.join(b'%d\n' % i for i in range(count)))
    for i in range(count):
        bob.hears('ann: %d' % i)
        carl.hears('ann: %d' % i)
    leave_all(ann, bob, carl)


def chat_slow(port):
    """Dora never reads. Ann floods, and Bob reads it all; Dora is dropped, the others hear of it, and it goes on."""
    ann, bob, dora = join_all(port, 'ann', 'bob', 'dora')
    notice = b'* dora was too slow, and is dropped\n'
    heard, is_dropped = [], threading.Event()

    def listen():
        for line in bob.file:
            heard.append(line)
            if line == notice:
                is_dropped.set()
            elif line == b'ann: the end\n':
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    said = 0
    end = time.monotonic() + PATIENCE
    while not is_dropped.is_set():
        assert time.monotonic() < end, 'dora is still there after %d lines' % said
        ann.says('%d %s' % (said, '.' * 380))
        said += 1
    ann.says('the end')
    listener.join(PATIENCE)
    heard.remove(notice)
    assert heard == [b'ann: %d %s\n' % (i, b'.' * 380) for i in range(said)] + [b'ann: the end\n']
    ann.hears(notice.decode().rstrip('\n'))
    leave_all(ann, bob)


def chat_stop(port, process):
    """Those who have not told their name yet hear of it, too."""
    ann, bob = join_all(port, 'ann', 'bob')
    nobody = Talker(port)
    os.kill(int(process), signal.SIGTERM)
    for talker in ann, bob, nobody:
        talker.hears('* the server stops; good-bye')
        talker.hears_end()


if __name__ == '__main__':
    globals()[sys.argv[1]](*sys.argv[2:])
