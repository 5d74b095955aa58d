// tailnet: the servers of a throw-away tailnet in one process: control, DERP and STUN. All of its state is in memory.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

const (
	controlPort = 8080
	derpPort    = 8443
	stunPort    = 3478
	domain      = "tail-test.ts.net"
)

// What a node asks of the control server; the rest of the web is none of it, and testcontrol would end on it.
var forwarded = []string{"/key", "/ts2021", "/machine/", "/c2n/", "/generate_204"}

func main() {
	addr := flag.String("addr", "10.77.0.1", "the address that all of it listens on")
	authKey := flag.String("key", "", "the key that lets a new node in; without one a person does, who opens an address")
	flag.Parse()
	log.SetOutput(io.Discard)
	serveDERP(*addr)
	serveSTUN(*addr)
	listener := listen(*addr, controlPort)
	base := "http://" + listener.Addr().String()
	control := &testcontrol.Server{
		Logf:             logger.Discard,
		DERPMap:          derpMap(*addr),
		RequireAuthKey:   *authKey,
		RequireAuth:      *authKey == "",
		DNSConfig:        &tailcfg.DNSConfig{Proxied: true, Domains: []string{domain}},
		MagicDNSDomain:   domain,
		AllNodesSameUser: true,
		AllOnline:        true,
		ExplicitBaseURL:  base,
	}
	fmt.Println("ready", base)
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The address that a person opens in a browser, to let a node in.
		if strings.HasPrefix(r.URL.Path, "/auth/") && control.CompleteAuth(r.URL.Path) {
			fmt.Fprintln(w, "it is in the tailnet now")
			return
		}
		for _, prefix := range forwarded {
			if strings.HasPrefix(r.URL.Path, prefix) {
				control.ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})))
}

func listen(addr string, port int) net.Listener {
	listener, err := net.Listen("tcp", net.JoinHostPort(addr, fmt.Sprint(port)))
	if err != nil {
		panic(err)
	}
	return listener
}

func serveDERP(addr string) {
	derp := derpserver.New(key.NewNode(), logger.Discard)
	server := httptest.NewUnstartedServer(derpserver.Handler(derp))
	server.Listener.Close()
	server.Listener = listen(addr, derpPort)
	server.Config.ErrorLog = log.Default()
	server.Config.TLSNextProto = make(map[string]func(*http.Server, *tls.Conn, http.Handler))
	server.StartTLS()
}

func serveSTUN(addr string) {
	stun := stunserver.New(context.Background())
	if err := stun.Listen(net.JoinHostPort(addr, fmt.Sprint(stunPort))); err != nil {
		panic(err)
	}
	go stun.Serve()
}

func derpMap(addr string) *tailcfg.DERPMap {
	node := &tailcfg.DERPNode{
		Name: "t1", RegionID: 1, HostName: addr, IPv4: addr, IPv6: "none",
		STUNPort: stunPort, DERPPort: derpPort, STUNTestIP: addr, InsecureForTests: true,
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "test", Nodes: []*tailcfg.DERPNode{node}}
	return &tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{1: region}}
}
