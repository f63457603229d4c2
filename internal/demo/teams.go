package demo

// site is where people work. Its place among the sites is that of its people's culture.
type site struct {
	city   string // l, as it is written there
	name   string // in English
	group  string // cn
	weight int
}

func sites() []site {
	return []site{
		{"Zürich", "Zürich", "site-zurich", 24}, {"Kraków", "Kraków", "site-krakow", 18}, {"Lisboa", "Lisbon", "site-lisbon", 12}, {"Dublin", "Dublin", "site-dublin", 12},
		{"Montréal", "Montréal", "site-montreal", 10}, {"大阪市", "Osaka", "site-osaka", 9}, {"Αθήνα", "Athens", "site-athens", 7}, {"София", "Sofia", "site-sofia", 8},
	}
}

// team is where people belong. The first title is that of who leads it.
type team struct {
	name, group, department string
	weight                  int
	titles                  []string
}

func teams() []team {
	return []team{
		{"Firmware", "team-firmware", "Engineering", 60, []string{"Head of Firmware", "Embedded Engineer", "Senior Embedded Engineer"}},
		{"Optics", "team-optics", "Engineering", 45, []string{"Head of Optics", "Optical Engineer", "Optical Designer"}},
		{"Platform", "team-platform", "Engineering", 50, []string{"Head of Platform", "Software Engineer", "Site Reliability Engineer"}},
		{"Mobile", "team-mobile", "Engineering", 25, []string{"Head of Mobile", "Mobile Developer", "Senior Mobile Developer"}},
		{"Data", "team-data", "Engineering", 30, []string{"Head of Data", "Data Engineer", "Statistician"}},
		{"Test Automation", "team-test-automation", "Engineering", 30, []string{"Head of Test Automation", "Test Engineer", "Senior Test Engineer"}},
		{"Security", "team-security", "Information Technology", 14, []string{"Head of Security", "Security Engineer", "Security Analyst"}},
		{"IT Operations", "team-it-operations", "Information Technology", 30, []string{"Head of IT Operations", "Systems Administrator", "Service Desk Analyst"}},
		{"Assembly", "team-assembly", "Manufacturing", 130, []string{"Head of Assembly", "Assembly Technician", "Shift Supervisor"}},
		{"Calibration", "team-calibration", "Manufacturing", 60, []string{"Head of Calibration", "Calibration Technician", "Metrologist"}},
		{"Quality", "team-quality", "Manufacturing", 45, []string{"Head of Quality", "Quality Inspector", "Quality Engineer"}},
		{"Purchasing", "team-purchasing", "Supply Chain", 25, []string{"Head of Purchasing", "Buyer", "Senior Buyer"}},
		{"Warehouse", "team-warehouse", "Supply Chain", 60, []string{"Head of Warehouse", "Warehouse Operative", "Dispatch Planner"}},
		{"Sales Europe", "team-sales-europe", "Sales", 50, []string{"Sales Director, Europe", "Account Manager", "Sales Engineer"}},
		{"Sales Americas", "team-sales-americas", "Sales", 35, []string{"Sales Director, Americas", "Account Manager", "Sales Engineer"}},
		{"Sales Asia", "team-sales-asia", "Sales", 30, []string{"Sales Director, Asia", "Account Manager", "Sales Engineer"}},
		{"Support", "team-support", "Customer Care", 80, []string{"Head of Support", "Support Specialist", "Support Engineer"}},
		{"Field Service", "team-field-service", "Customer Care", 55, []string{"Head of Field Service", "Service Technician", "Service Coordinator"}},
		{"Marketing", "team-marketing", "Marketing", 30, []string{"Head of Marketing", "Content Editor", "Campaign Manager"}},
		{"Accounting", "team-accounting", "Finance", 35, []string{"Head of Accounting", "Accountant", "Payroll Accountant"}},
		{"Controlling", "team-controlling", "Finance", 16, []string{"Head of Controlling", "Controller", "Financial Analyst"}},
		{"People", "team-people", "Human Resources", 28, []string{"Head of People", "HR Advisor", "Recruiter"}},
		{"Legal", "team-legal", "Legal", 12, []string{"General Counsel", "Legal Counsel", "Contract Manager"}},
		{"Product Management", "team-product-management", "Product", 25, []string{"Head of Product", "Product Manager", "Technical Writer"}},
	}
}

const apprentices = "role-apprentices"

// role is a group across the teams: one in so many people has it.
type role struct {
	group, description string
	oneIn              int
}

func roles() []role {
	return []role{
		{"role-team-leads", "Who leads a team", 0},
		{"role-on-call", "On call for the platform and the networks", 25},
		{"role-first-aid", "Trained first aiders", 18},
		{"role-fire-wardens", "Fire wardens of all sites", 22},
		{"role-works-council", "Members of the works councils", 60},
		{apprentices, "Apprentices and trainees", 30},
		{"role-remote", "Contracts without a fixed workplace", 12},
	}
}
