package demo

import "strings"

// name is a name as it is written, and in the letters that a username is made of.
type name struct{ native, latin string }

// culture is where people's names come from. Each list holds names separated by spaces: "native=latin" where the script isn't Latin, and of
// surnames "his/hers" where they differ.
type culture struct {
	language string // preferredLanguage
	script   bool   // names have a script of their own, which half of the people use
	family   bool   // the family name comes first
	women    string
	men      string
	surnames string
}

// parse takes "native=latin" or a name in Latin script apart.
func parseName(s string) name {
	native, latin, own := strings.Cut(s, "=")
	if !own {
		latin = native
	}
	return name{native, latin}
}

// surname is the form of a surname that a woman or a man bears.
func surname(s string, woman bool) name {
	his, hers, two := strings.Cut(s, "/")
	if woman && two {
		return parseName(hers)
	}
	return parseName(his)
}

// plain spells a name in the letters a–z, as a username has it.
func plain(latin string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.NewReplacer(
		"ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "æ", "ae", "ø", "o", "å", "a",
		"á", "a", "à", "a", "â", "a", "ã", "a", "ą", "a", "ă", "a", "ç", "c", "ć", "c", "č", "c", "ď", "d", "é", "e", "è", "e",
		"ê", "e", "ë", "e", "ę", "e", "ě", "e", "í", "i", "î", "i", "ï", "i", "ł", "l", "ñ", "n", "ń", "n", "ň", "n",
		"ó", "o", "ô", "o", "õ", "o", "ř", "r", "ś", "s", "š", "s", "ș", "s", "ť", "t", "ú", "u", "ù", "u", "û", "u", "ů", "u",
		"ý", "y", "ź", "z", "ż", "z", "ž", "z",
	).Replace(strings.ToLower(latin)))
}

// cultures returns them in the order of the sites that they belong to.
func cultures() []culture {
	return []culture{
		{language: "de",
			women:    "Anna Regula Sabine Céline Ursula Nina Mirjam Petra Simone Corinne Tamara Lea Franziska Désirée Katharina Vreni",
			men:      "Jürg Reto Urs Beat Matthias Lukas Andreas Jörg Stefan Günther Florian René Thomas Daniel Christian Björn",
			surnames: "Müller Schäfer Bühler Zürcher Meier Keller Brunner Baumann Gerber Steiner Fröhlich Weiß Hug Schürch Käser Wyss Lüthi Frei Graf Roth Kunz Hofstätter Aebi Dürst Egli"},
		{language: "pl",
			women:    "Katarzyna Małgorzata Agnieszka Zofia Łucja Joanna Ewa Magdalena Grażyna Beata Żaneta Aleksandra Karolina Hanna Marta Bożena",
			men:      "Paweł Łukasz Tomasz Grzegorz Michał Krzysztof Wojciech Jędrzej Piotr Marcin Rafał Stanisław Bartłomiej Jakub Mateusz Andrzej",
			surnames: "Kowalski/Kowalska Wiśniewski/Wiśniewska Zieliński/Zielińska Szymański/Szymańska Dąbrowski/Dąbrowska Nowak Wójcik Kamiński/Kamińska Pawłowski/Pawłowska Mazur Krawczyk Grabowski/Grabowska Żak Pająk Król Wróbel Jabłoński/Jabłońska Piątek Gołąb Sikora Baran Duda Kołodziej Wilk"},
		{language: "pt",
			women:    "Ana Inês Beatriz Conceição Mariana Joana Catarina Sofia Luísa Margarida Patrícia Leonor Helena Cláudia Rita Graça",
			men:      "João António Luís Tiago Nuno Gonçalo Rui José Sérgio Miguel André Pedro Fábio Vítor Duarte Simão",
			surnames: "Ferreira Gonçalves Conceição Magalhães Simões Araújo Teixeira Nóbrega Guimarães Brandão Carvalho Mendonça Sá Leitão Assunção Lourenço Pinto Moreira Falcão Antunes Galvão Monteiro Queirós Serrão"},
		{language: "en",
			women:    "Aoife Niamh Siobhán Ciara Gráinne Róisín Orla Sinéad Emma Laura Grace Fionnuala Méabh Clare Deirdre Helen",
			men:      "Seán Pádraig Cillian Eoin Conor Ciarán Oisín Declan Tadhg Rory Brian Liam Donal Fergus Colm Micheál",
			surnames: "Murphy Byrne O’Brien Kelly Walsh O’Connor Doyle McCarthy Gallagher Doherty Kennedy Lynch Murray Quinn Moore McLoughlin Nolan Dunne Brennan Burke Farrell Keane Molloy Whelan"},
		{language: "fr",
			women:    "Amélie Chloé Geneviève Noémie Émilie Hélène Maude Josée Anaïs Léa Isabelle Marie-Ève Camille Valérie Océane Audrey",
			men:      "François Étienne Benoît Jérôme Mathieu Gaël Rémi Stéphane Félix Loïc Olivier Jean-Marc Cédric Guillaume Yves Antoine",
			surnames: "Tremblay Gagnon Côté Bouchard Gauthier Lévesque Pelletier Bélanger Ouellet Poirier Légaré Desjardins Thériault Fortin Émond Lefebvre Beaulieu Champagne Dubé Hébert Caron Bédard Lacroix Maheux"},
		{language: "ja", script: true, family: true,
			women:    "花子=Hanako 陽菜=Hina 美咲=Misaki さくら=Sakura 由美子=Yumiko 恵=Megumi 直美=Naomi 千尋=Chihiro 明美=Akemi 真由美=Mayumi 愛=Ai 結衣=Yui 香織=Kaori 久美子=Kumiko",
			men:      "太郎=Taro 健太=Kenta 翔=Sho 大輔=Daisuke 直樹=Naoki 浩=Hiroshi 誠=Makoto 拓也=Takuya 和也=Kazuya 修=Osamu 健一=Kenichi 亮=Ryo 純=Jun 隆=Takashi",
			surnames: "佐藤=Sato 鈴木=Suzuki 高橋=Takahashi 田中=Tanaka 伊藤=Ito 渡辺=Watanabe 山本=Yamamoto 中村=Nakamura 小林=Kobayashi 加藤=Kato 吉田=Yoshida 山田=Yamada 佐々木=Sasaki 山口=Yamaguchi 松本=Matsumoto 井上=Inoue 木村=Kimura 林=Hayashi 清水=Shimizu 斎藤=Saito 森=Mori 橋本=Hashimoto"},
		{language: "el", script: true,
			women:    "Μαρία=Maria Ελένη=Eleni Αικατερίνη=Aikaterini Σοφία=Sofia Γεωργία=Georgia Δήμητρα=Dimitra Ιωάννα=Ioanna Χριστίνα=Christina Άννα=Anna Βασιλική=Vasiliki Ευαγγελία=Evangelia Θεοδώρα=Theodora Ζωή=Zoi Φωτεινή=Foteini",
			men:      "Γιώργος=Giorgos Δημήτρης=Dimitris Κώστας=Kostas Νίκος=Nikos Γιάννης=Giannis Παναγιώτης=Panagiotis Χρήστος=Christos Αλέξανδρος=Alexandros Θανάσης=Thanasis Σπύρος=Spyros Μιχάλης=Michalis Ηλίας=Ilias Στέλιος=Stelios Πέτρος=Petros",
			surnames: "Παπαδόπουλος=Papadopoulos/Παπαδοπούλου=Papadopoulou Γεωργίου=Georgiou Οικονόμου=Oikonomou Νικολάου=Nikolaou Μακρής=Makris/Μακρή=Makri Κωνσταντίνου=Konstantinou Αντωνίου=Antoniou Βλάχος=Vlachos/Βλάχου=Vlachou Καραγιάννης=Karagiannis/Καραγιάννη=Karagianni Δημητρίου=Dimitriou Ιωάννου=Ioannou Σαμαράς=Samaras/Σαμαρά=Samara Αλεξίου=Alexiou Ρήγας=Rigas/Ρήγα=Riga Λάμπρου=Lamprou Ζαχαρίας=Zacharias/Ζαχαρία=Zacharia Στεφάνου=Stefanou Χατζής=Chatzis/Χατζή=Chatzi"},
		{language: "bg", script: true,
			women:    "Мария=Maria Иванка=Ivanka Елена=Elena Йорданка=Yordanka Пенка=Penka Десислава=Desislava Радка=Radka Виктория=Viktoria Цветелина=Tsvetelina Силвия=Silvia Петя=Petya Теодора=Teodora Надежда=Nadezhda Весела=Vesela",
			men:      "Георги=Georgi Иван=Ivan Димитър=Dimitar Николай=Nikolay Петър=Petar Христо=Hristo Тодор=Todor Стефан=Stefan Йордан=Yordan Васил=Vasil Стоян=Stoyan Ангел=Angel Пламен=Plamen Борис=Boris",
			surnames: "Иванов=Ivanov/Иванова=Ivanova Георгиев=Georgiev/Георгиева=Georgieva Димитров=Dimitrov/Димитрова=Dimitrova Петров=Petrov/Петрова=Petrova Николов=Nikolov/Николова=Nikolova Христов=Hristov/Христова=Hristova Стоянов=Stoyanov/Стоянова=Stoyanova Тодоров=Todorov/Тодорова=Todorova Илиев=Iliev/Илиева=Ilieva Василев=Vasilev/Василева=Vasileva Атанасов=Atanasov/Атанасова=Atanasova Ангелов=Angelov/Ангелова=Angelova Колев=Kolev/Колева=Koleva Йорданов=Yordanov/Йорданова=Yordanova Маринов=Marinov/Маринова=Marinova Велинов=Velinov/Велинова=Velinova Ганев=Ganev/Ганева=Ganeva Цветков=Tsvetkov/Цветкова=Tsvetkova"},
	}
}
