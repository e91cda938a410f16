// SPDX-License-Identifier: MIT
// echo_asio.cc - an echo server, a C++20 coroutine for each connection, on one thread. The executor's type is known to
// the compiler, and there is no locking: what Asio's manual has for speed.

#include <utility>

#include <boost/asio.hpp>

#include <cstdio>

namespace asio = boost::asio;

using executor = asio::io_context::executor_type;
using token = asio::use_awaitable_t<executor>;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using awaitable = asio::awaitable<void, executor>;

static awaitable serve(tcp_socket socket)
{
    char data[2048];

    try {
        for (;;) {
            std::size_t size = co_await socket.async_read_some(asio::buffer(data), token());
            co_await asio::async_write(socket, asio::buffer(data, size), token());
        }
    } catch (const boost::system::system_error &) {
        // the peer has gone
    }
}

static awaitable accept_all(tcp_acceptor acceptor)
{
    for (;;) {
        tcp_socket socket(acceptor.get_executor());
        co_await acceptor.async_accept(socket, token());
        asio::co_spawn(socket.get_executor(), serve(std::move(socket)), asio::detached);
    }
}

int main()
{
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    asio::ip::tcp::endpoint address(asio::ip::address_v4::loopback(), 0);
    tcp_acceptor acceptor(context.get_executor(), address);

    acceptor.listen(4096);
    std::printf("listening on %d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    asio::co_spawn(context.get_executor(), accept_all(std::move(acceptor)), asio::detached);
    context.run();
    return 1;
}
