"""TABLE of domains at which anybody has an address: nobody's company. Kept by hand; a new one is a line here."""

FREE_MAIL = frozenset(
    {
        # Everywhere
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com", "yahoo.com",
        "ymail.com", "rocketmail.com", "myyahoo.com", "icloud.com", "me.com", "mac.com", "aol.com", "aim.com", "proton.me",
        "protonmail.com", "protonmail.ch", "pm.me", "tutanota.com", "tutanota.de", "tutamail.com", "tuta.io", "tuta.com",
        "keemail.me", "zoho.com", "zohomail.com", "zohomail.eu", "mail.com", "email.com", "usa.com", "post.com", "europe.com",
        "consultant.com", "engineer.com", "gmx.com", "gmx.us", "fastmail.com", "fastmail.fm", "hey.com", "hushmail.com",
        "mailfence.com", "startmail.com", "runbox.com", "posteo.net", "disroot.org", "riseup.net", "inbox.com", "lycos.com",
        "excite.com", "duck.com", "mozmail.com", "privaterelay.appleid.com",
        # Germany, Austria, Switzerland
        "gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.eu", "gmx.info", "gmx.biz", "gmx.org", "web.de", "freenet.de",
        "t-online.de", "magenta.de", "arcor.de", "posteo.de", "posteo.at", "posteo.ch", "posteo.eu", "mailbox.org", "email.de",
        "online.de", "1und1.de", "mail.de", "vodafone.de", "kabelmail.de", "unitybox.de", "netcologne.de", "ewe.net",
        "ewetel.net", "osnanet.de", "alice.de", "alice-dsl.de", "o2online.de", "genion.de", "compuserve.de", "aol.de", "yahoo.de",
        "hotmail.de", "live.de", "outlook.de", "firemail.de", "directbox.com", "a1.net", "aon.at", "chello.at", "utanet.at",
        "inode.at", "liwest.at", "bluewin.ch", "sunrise.ch", "hispeed.ch", "swissonline.ch", "hotmail.ch", "outlook.at",
        "hotmail.at", "live.at", "yahoo.at",
        # France, Belgium, Netherlands, Luxembourg
        "orange.fr", "wanadoo.fr", "free.fr", "sfr.fr", "neuf.fr", "laposte.net", "numericable.fr", "bbox.fr", "aliceadsl.fr",
        "club-internet.fr", "yahoo.fr", "hotmail.fr", "live.fr", "outlook.fr", "gmx.fr", "voila.fr", "skynet.be", "telenet.be",
        "proximus.be", "scarlet.be", "hotmail.be", "outlook.be", "live.be", "ziggo.nl", "kpnmail.nl", "planet.nl", "xs4all.nl",
        "hetnet.nl", "home.nl", "casema.nl", "chello.nl", "upcmail.nl", "quicknet.nl", "tele2.nl", "live.nl", "hotmail.nl",
        "outlook.nl", "pt.lu",
        # Italy, Spain, Portugal
        "libero.it", "virgilio.it", "alice.it", "tin.it", "tim.it", "tiscali.it", "fastwebnet.it", "iol.it", "inwind.it",
        "email.it", "hotmail.it", "live.it", "outlook.it", "yahoo.it", "yahoo.es", "hotmail.es", "outlook.es", "live.com.es",
        "telefonica.net", "terra.es", "ono.com", "movistar.es", "sapo.pt", "netcabo.pt", "hotmail.pt", "live.com.pt",
        "outlook.pt",
        # Britain, Ireland
        "yahoo.co.uk", "hotmail.co.uk", "live.co.uk", "outlook.co.uk", "btinternet.com", "btopenworld.com", "virginmedia.com",
        "ntlworld.com", "blueyonder.co.uk", "sky.com", "talktalk.net", "tiscali.co.uk", "plusnet.com", "o2.co.uk",
        "googlemail.co.uk", "yahoo.ie", "hotmail.ie", "eircom.net",
        # The north and the east
        "hotmail.se", "live.se", "telia.com", "bredband.net", "spray.se", "comhem.se", "hotmail.no", "live.no", "online.no",
        "hotmail.dk", "live.dk", "mail.dk", "jubii.dk", "stofanet.dk", "hotmail.fi", "suomi24.fi", "luukku.com", "wp.pl", "o2.pl",
        "onet.pl", "onet.eu", "op.pl", "interia.pl", "interia.eu", "gazeta.pl", "poczta.fm", "tlen.pl", "seznam.cz", "email.cz",
        "centrum.cz", "post.cz", "volny.cz", "azet.sk", "centrum.sk", "zoznam.sk", "freemail.hu", "citromail.hu", "indamail.hu",
        "abv.bg", "mail.bg", "yahoo.ro", "yahoo.gr", "otenet.gr", "inbox.lv", "mail.ee", "ukr.net", "i.ua", "meta.ua",
        "bigmir.net", "mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru", "yandex.ru", "yandex.com", "ya.ru", "rambler.ru",
        "lenta.ru", "yandex.ua", "yandex.by", "yandex.kz",
        # North America
        "comcast.net", "xfinity.com", "verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "ameritech.net", "pacbell.net",
        "cox.net", "charter.net", "spectrum.net", "roadrunner.com", "rr.com", "twc.com", "earthlink.net", "mindspring.com",
        "juno.com", "netzero.net", "optonline.net", "optimum.net", "frontier.com", "frontiernet.net", "windstream.net",
        "centurylink.net", "q.com", "embarqmail.com", "suddenlink.net", "cableone.net", "yahoo.ca", "hotmail.ca", "outlook.ca",
        "live.ca", "rogers.com", "shaw.ca", "telus.net", "sympatico.ca", "bell.net", "videotron.ca", "cogeco.ca",
        # Latin America
        "yahoo.com.br", "hotmail.com.br", "outlook.com.br", "live.com.br", "uol.com.br", "bol.com.br", "terra.com.br",
        "ig.com.br", "globo.com", "r7.com", "yahoo.com.mx", "hotmail.com.mx", "live.com.mx", "prodigy.net.mx", "yahoo.com.ar",
        "hotmail.com.ar", "live.com.ar", "fibertel.com.ar", "yahoo.cl", "hotmail.cl", "yahoo.com.co", "yahoo.com.pe",
        # Asia, Australia, Africa
        "qq.com", "foxmail.com", "163.com", "126.com", "yeah.net", "sina.com", "sina.cn", "sohu.com", "aliyun.com", "139.com",
        "189.cn", "21cn.com", "tom.com", "naver.com", "hanmail.net", "daum.net", "nate.com", "kakao.com", "yahoo.co.jp",
        "docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "i.softbank.jp", "nifty.com", "biglobe.ne.jp", "yahoo.co.in", "yahoo.in",
        "rediffmail.com", "rediff.com", "hotmail.co.in", "yahoo.com.sg", "yahoo.com.hk", "yahoo.com.tw", "pchome.com.tw",
        "hinet.net", "yahoo.com.ph", "yahoo.co.id", "yahoo.com.my", "yahoo.com.vn", "yahoo.co.th", "hotmail.co.th", "walla.co.il",
        "walla.com", "012.net.il", "yahoo.com.tr", "hotmail.com.tr", "mynet.com", "yahoo.com.au", "hotmail.com.au",
        "outlook.com.au", "live.com.au", "bigpond.com", "bigpond.net.au", "optusnet.com.au", "iinet.net.au", "xtra.co.nz",
        "yahoo.co.nz", "yahoo.co.za", "webmail.co.za", "mweb.co.za", "vodamail.co.za", "telkomsa.net",
        # Addresses for ten minutes
        "mailinator.com", "guerrillamail.com", "guerrillamail.info", "sharklasers.com", "10minutemail.com", "temp-mail.org",
        "tempmail.com", "yopmail.com", "trashmail.com", "trashmail.de", "wegwerfmail.de", "wegwerfemail.de", "spoofmail.de",
        "dispostable.com", "maildrop.cc", "getnada.com", "throwawaymail.com", "mohmal.com", "fakeinbox.com", "discard.email",
        "moakt.com",
    }
)  # fmt: skip
